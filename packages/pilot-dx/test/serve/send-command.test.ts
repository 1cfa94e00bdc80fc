import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { sendCommand } from '#cli/serve/send-command.js'
import { shellQuote } from '#cli/serve/shell-quote.js'

const ADDRESS = '0:0000.0000.0001'
const usual = {
  address: ADDRESS,
  socketPath: '/run/me/pilot.sock',
  cwd: '/src',
  env: { XDG_RUNTIME_DIR: '/run/me' },
}

test('the program is named as it was started', { skip: process.platform !== 'linux' }, () => {
  const cases = [
    ['/usr/bin/pilot-dx', 'pilot-dx'],
    ['/src/dist/cli/main.js', 'node dist/cli/main.js'],
    ['/else/dist/cli/main.js', 'node /else/dist/cli/main.js'],
    ['/src/my dir/main.js', "node 'my dir/main.js'"],
  ] as const
  for (const [program, words] of cases) {
    assert.equal(sendCommand({ ...usual, program }), `${words} send-message ${ADDRESS} hello`)
  }
})

test('a socket is named unless any terminal would find it', { skip: process.platform !== 'linux' }, () => {
  const program = '/usr/bin/pilot-dx'
  const other = { ...usual, program, socketPath: '/x y' }
  assert.equal(sendCommand(other), `pilot-dx send-message --socket '/x y' ${ADDRESS} hello`)
  const env = { ...usual.env, PILOT_SOCKET: '/x y' }
  assert.equal(sendCommand({ ...other, env }), `pilot-dx send-message --socket '/x y' ${ADDRESS} hello`)
})

test('a quoted word is one word of the shell, as it was', () => {
  for (const word of ['', 'a b', "it's", '$(x)`y`', '"', '\\', '*', '~', '!', 'ü', '-n', 'a\nb', '#']) {
    const told = execFileSync('sh', ['-c', `printf %s ${shellQuote(word)}`], { encoding: 'utf8' })
    assert.equal(told, word)
  }
  assert.equal(shellQuote('/tmp/a-b_c.sock'), '/tmp/a-b_c.sock')
})
