import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

interface PlantedFault {
  name: string
  edits: [file: string, from: string, to: string][]
  foundBy: Record<string, number>
}

const module = pathToFileURL(join('scripts', 'planted-faults.js')).href
const { PLANTED_FAULTS }: { PLANTED_FAULTS: PlantedFault[] } = await import(module)

for (const { name, edits, foundBy } of PLANTED_FAULTS) {
  test(`"${name}" can be planted, and there are rows to find it`, () => {
    for (const [file, from] of edits) {
      const places =
        readFileSync(join('packages', 'dataexchange', 'dist', file), 'utf8').split(from).length - 1
      assert.equal(places, 1, `${places} times in ${file}: ${from}`)
    }
    assert.ok(Object.keys(foundBy).length > 0)
    for (const row of Object.keys(foundBy))
      assert.ok(existsSync(join('test', 'crash', `${row}.crash.ts`)), `no row ${row}`)
  })
}

test('every row of the crash tests has a fault that it must find', () => {
  const found = new Set(PLANTED_FAULTS.flatMap(({ foundBy }) => Object.keys(foundBy)))
  const rows = readdirSync(join('test', 'crash')).filter(name => name.endsWith('.crash.ts'))
  assert.ok(rows.length > 0)
  assert.deepEqual(
    rows.filter(name => !found.has(name.slice(0, -'.crash.ts'.length))),
    [],
  )
})
