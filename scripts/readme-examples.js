// Runs the code of the README as it stands there: each block as a file, with plain node, in a project in which the
// packed library is installed. Type-checks the blocks, too.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const TIMEOUT_MS = 30_000

/**
 * Extracts, checks and runs all blocks of the README in JavaScript or TypeScript.
 *
 * @param user a project with the library and the types of Node
 * @param compilers paths of `tsc`
 */
export async function checkReadme(user, compilers) {
  const blocks = blocksOf(readFileSync('README.md', 'utf8'))
  const unknown = blocks.filter(({ name }) => !(name in EXPECTED)).map(({ name }) => name)
  const missing = Object.keys(EXPECTED).filter(name => !blocks.some(block => block.name === name))
  if (unknown.length + missing.length > 0)
    throw new Error(`examples of the README: ${unknown.join()} not run here, ${missing.join()} not there`)

  const folder = join(user, 'readme')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "name": "readme", "private": true, "type": "module" }')
  for (const { name, code } of blocks) writeFileSync(join(folder, `${name}.ts`), code)
  for (const compiler of compilers) {
    rmSync(join(folder, 'tsconfig.json'), { force: true })
    execFileSync(process.execPath, [compiler, '--init'], { cwd: folder })
    const flags = ['-p', '.', '--noEmit', '--types', 'node']
    execFileSync(process.execPath, [compiler, ...flags], {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  }
  for (const { name, code } of blocks) writeFileSync(join(folder, `${name}.js`), code)
  await runAll(folder)
}

/** The output of each example. */
const EXPECTED = {
  receive: /^listening as 0:/,
  answer: /^answering as 0:/,
  deliver: /^stored by the peer: ACK TEXT 20 bytes/,
  transfer: /stored by the peer: .*"verified":true/,
  ask: /^answered at once: 0:\S+ asked: What is left to do\?/,
  frames: /^BINARY of 3 bytes/,
  worker: /^working through /,
  outbox: /^queued \w+\noutbox\.delivered \w+/,
}

async function runAll(folder) {
  // With nothing else on the machine: receive and answer start an embedded daemon each.
  const home = join(folder, 'home')
  mkdirSync(home, { mode: 0o700 })
  const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, PILOT_HOME: '', PILOT_SOCKET: '' }
  const run = (name, ...args) => {
    const options = { cwd: folder, env, encoding: 'utf8', timeout: TIMEOUT_MS }
    return execFileSync(process.execPath, [`${name}.js`, ...args], options)
  }
  const receiver = await start('receive', { folder, env })
  try {
    for (const name of ['deliver', 'transfer', 'frames']) check(name, run(name))
    check('outbox', run('outbox', receiver.line.replace('listening as ', '')))
    const worker = await start('worker', { folder, env })
    await worker.end('SIGTERM')
  } finally {
    await receiver.end('SIGINT')
  }
  const answering = await start('answer', { folder, env })
  try {
    check('ask', run('ask'))
  } finally {
    await answering.end('SIGINT')
  }
}

/** Starts an example that runs until it is stopped; resolves when its first line is there. */
async function start(name, { folder, env }) {
  const child = spawn(process.execPath, [`${name}.js`], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: TIMEOUT_MS,
  })
  const ended = once(child, 'exit')
  const { value: line = '' } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
  check(name, line)
  const end = async signal => {
    child.kill(signal)
    const [code, killed] = await ended
    if (code !== 0) throw new Error(`${name} ended with ${code ?? killed}`)
  }
  return { line, end }
}

function check(name, output) {
  if (!EXPECTED[name].test(output)) throw new Error(`the example ${name} of the README printed: ${output}`)
}

/** The blocks of code in JavaScript and TypeScript, by the name of their example. */
function blocksOf(readme) {
  const found = readme.matchAll(
    /(?:<!-- example: examples\/([\w-]+)\.ts -->\n)?```(?:ts|js|typescript|javascript)\n(.*?)```/gs,
  )
  return [...found].map(([, name = 'unnamed', code = '']) => ({ name, code }))
}
