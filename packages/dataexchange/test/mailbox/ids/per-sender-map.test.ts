import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PerSenderMap } from '#lib/mailbox/ids/per-sender-map.js'

function filled(entries: readonly (readonly [from: string, key: string])[]): PerSenderMap<string> {
  const memory = new PerSenderMap<string>()
  for (const [from, key] of entries) memory.set(key, `value of ${key}`, from)
  return memory
}

test('the sender with the most entries loses its oldest', () => {
  const memory = filled([
    ['a', 'a1'],
    ['b', 'b1'],
    ['b', 'b2'],
    ['a', 'a2'],
    ['b', 'b3'],
  ])
  const gone = []
  for (
    let key = memory.oldestOfLargest();
    memory.size > 2 && key !== undefined;
    key = memory.oldestOfLargest()
  ) {
    memory.delete(key)
    gone.push(key)
  }
  assert.equal(gone[0], 'b1')
  assert.deepEqual([...memory].map(([key]) => key).sort(), ['a2', 'b3'])
})

test('a key keeps its position and its sender when its value changes, until it is deleted', () => {
  const memory = filled([
    ['a', 'k'],
    ['b', 'l'],
  ])
  memory.set('k', 'new', 'b')
  assert.deepEqual(
    [...memory],
    [
      ['k', 'new'],
      ['l', 'value of l'],
    ],
  )
  memory.delete('k')
  memory.delete('k')
  assert.equal(memory.get('k'), undefined)
  assert.equal(memory.oldestOfLargest(), 'l')
  memory.delete('l')
  assert.equal(memory.oldestOfLargest(), undefined)
})

test('oldestOfLargest agrees with a full search after any additions and deletions', () => {
  const step = fc.record({ from: fc.integer({ max: 4, min: 0 }), key: fc.nat(30), add: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const memory = new PerSenderMap<number>()
      const model = new Map<string, string>()
      for (const { from, key, add } of steps) {
        if (add) memory.set(`${key}`, key, `${from}`)
        else memory.delete(`${key}`)
        if (!add) model.delete(`${key}`)
        else if (!model.has(`${key}`)) model.set(`${key}`, `${from}`)

        const counts = new Map<string, number>()
        for (const owner of model.values()) counts.set(owner, (counts.get(owner) ?? 0) + 1)
        const found = memory.oldestOfLargest()
        const owner = model.get(found ?? '')
        assert.equal(memory.size, model.size)
        assert.equal(counts.get(owner ?? ''), model.size === 0 ? undefined : Math.max(...counts.values()))
        const [oldest] = [...model].find(([, other]) => other === owner) ?? []
        assert.equal(found, oldest)
      }
    }),
  )
})
