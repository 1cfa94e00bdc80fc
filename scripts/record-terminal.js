// Records docs/terminal.svg, the picture in the README: `npm run record:terminal`. Starts a node in a temporary home,
// sends to it from a second process, and draws the text that both printed. It leaves out three lines of the start
// (received, outbox, daemon) and writes /home/me for the temporary home. CI does not compare the picture, because times
// and hashes differ between runs.
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const CLI = 'packages/pilot-dx/dist/main.js'
const OUTPUT = 'docs/terminal.svg'
/** In pixels. A character of a monospace font is about 0.6 em wide. */
const FONT = 13
const LINE = 19

const run = promisify(execFile)
const home = mkdtempSync(join(tmpdir(), 'record-terminal-'))
// The socket's default folder. With it, the printed command needs no --socket.
const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home }
for (const name of ['PILOT_SOCKET', 'PILOT_HOME', 'NO_COLOR', 'FORCE_COLOR']) delete env[name]
mkdirSync(join(home, '.pilot'))
writeFileSync(
  join(home, '.pilot', 'embedded-node.json'),
  JSON.stringify({ address: '0:0000.444F.9ECD', hostname: 'my-machine' }),
)
writeFileSync(join(home, 'cat.jpg'), randomBytes(3_000_000))

const node = spawn(process.execPath, [CLI, 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
const served = []
try {
  const lines = createInterface({ input: node.stdout })
  lines.on('line', line => served.push(line))
  while (!served.some(line => line.includes('send-message'))) await once(lines, 'line')
  const start = served.splice(0).filter(line => !/^(received|outbox|daemon):/.test(line))

  const steps = []
  for (const [shown, ...args] of [
    ['pilot-dx send-message my-machine hello', 'send-message', 'my-machine', 'hello'],
    ['pilot-dx send-file my-machine cat.jpg', 'send-file', 'my-machine', join(home, 'cat.jpg')],
    ['pilot-dx inbox', 'inbox'],
  ]) {
    const { stdout } = await run(process.execPath, [CLI, ...args], { env })
    steps.push(`$ ${shown}`, ...stdout.trimEnd().split('\n'), '')
  }
  writeFileSync(OUTPUT, picture(['$ npm start', ...start, '', ...served, '', ...steps]))
} finally {
  node.kill('SIGINT')
  await once(node, 'exit')
  rmSync(home, { recursive: true })
}

/** Draws the lines. Each appears after the one before, unless the reader prefers reduced motion. */
function picture(text) {
  const lines = text.join('\n').trimEnd().replaceAll(home, '/home/me').split('\n')
  const width = Math.ceil(Math.max(...lines.map(line => line.length)) * FONT * 0.6) + 32
  const height = lines.length * LINE + 32
  const rows = lines.map((line, i) => {
    if (line === '') return ''
    const kind = line.startsWith('$ ') ? ' class="command"' : ''
    const delay = `animation-delay:${(i * 0.15).toFixed(2)}s`
    return `<text x="16" y="${i * LINE + 30}"${kind} style="${delay}">${escapeXml(line)}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="A node is started; a message and a file are sent to it and acknowledged">
<style>
rect { fill: #f6f8fa; stroke: #d0d7de }
text { font: ${FONT}px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; white-space: pre; animation: appear 0.1s both }
.command { font-weight: bold; fill: #0550ae }
@keyframes appear { from { opacity: 0 } }
@media (prefers-color-scheme: dark) {
rect { fill: #0d1117; stroke: #30363d }
text { fill: #e6edf3 }
.command { fill: #79c0ff }
}
@media (prefers-reduced-motion: reduce) { text { animation: none } }
</style>
<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${rows.filter(row => row !== '').join('\n')}
</svg>
`
}

function escapeXml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
