// Run as a child: `node client-child.js <socket> <port to bind> <address> <port to dial> <text to send>`.
// Prints one line when all of that is done, and lives until it is killed.
import { IpcClient } from './ipc-client.js'

const [socket, bindPort, address, dialPort, text] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
]
const client = await IpcClient.connect(socket)
await client.bind(Number(bindPort))
const connId = await client.dial(address, Number(dialPort))
await client.say(connId, text)
console.log('done')
setInterval(() => {}, 60_000)
