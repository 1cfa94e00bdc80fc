// Removes compiled files whose source is gone: tsc leaves them, and imports of them would still work.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const OUTPUTS = {
  'packages/dataexchange/dist': 'packages/dataexchange/src',
  'packages/pilot-dx/dist': 'packages/pilot-dx/src',
  build: '.',
}

for (const [output, source] of Object.entries(OUTPUTS)) {
  if (!existsSync(output)) continue
  for (const path of readdirSync(output, { recursive: true, encoding: 'utf8' })) {
    const compiled = /\.(d\.ts|js|js\.map)$/.exec(path)
    if (compiled === null) continue
    const origin = join(source, `${path.slice(0, compiled.index)}.ts`)
    if (!existsSync(origin)) rmSync(join(output, path))
  }
}
