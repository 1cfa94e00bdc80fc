// Run as a child: `node transfer-child.js '{"socket", "address", "path"}'`. Sends the file at `path` through the daemon at
// `socket`, prints one line, the receipt as JSON with the largest memory of this process (`peak`, bytes), and ends.
import { Driver, transferFile } from 'pilot-dataexchange'

const { socket, address, path } = JSON.parse(process.argv[2] ?? '{}')
await using driver = await Driver.connect(socket)
const receipt = await transferFile(driver, address, path).result
console.log(JSON.stringify({ ...receipt, peak: process.resourceUsage().maxRSS * 1024 }))
