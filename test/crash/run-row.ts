// Run by scripts/run-crash.js: `node run-row.js ROW N SEED`; N is `ci`, `record`, a number, or `record/SHARES/SHARE`
// for a part of it, with random numbers of its own. The last line that it prints is the report as JSON.
import { HarnessError } from './commands.js'
import { lacking } from './needs.js'
import { Random } from './random.js'
import type { Row } from './row.js'

const [name = '', count = '', seed = ''] = process.argv.slice(2)
const { row } = (await import(`./${name}.crash.js`)) as { row: Row }
const skipped = row.needs.map(lacking).filter(reason => reason !== undefined)
if (skipped.length > 0) report({ n: 0, failures: [], counts: {}, skipped: skipped.join(', ') })
else {
  const [column = '', shares = '1', share = '0'] = count.split('/')
  const n = column === 'ci' || column === 'record' ? Math.ceil(row[column] / Number(shares)) : Number(count)
  try {
    report(await row.run({ n, random: new Random(Number(seed) + Number(share)) }))
  } catch (error) {
    if (!(error instanceof HarnessError)) throw error
    report({ n: 0, failures: [], counts: {}, harness: error.message })
    // Whatever of it still runs.
    process.exit()
  }
}

function report(result: unknown): void {
  console.log(JSON.stringify(result))
}
