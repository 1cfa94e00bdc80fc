// Run by scripts/run-crash.js: `node run-row.js ROW N SEED`; N is `ci`, `record`, or a number. The last line that it
// prints is the report as JSON.
import { lacking } from './needs.js'
import { Random } from './random.js'
import type { Row } from './row.js'

const [name = '', count = '', seed = ''] = process.argv.slice(2)
const { row } = (await import(`./${name}.crash.js`)) as { row: Row }
const skipped = row.needs.map(lacking).filter(reason => reason !== undefined)
if (skipped.length > 0) report({ skipped: skipped.join(', ') })
else {
  const n = count === 'ci' || count === 'record' ? row[count] : Number(count)
  report(await row.run({ n, random: new Random(Number(seed)) }))
}

function report(result: unknown): void {
  console.log(JSON.stringify(result))
}
