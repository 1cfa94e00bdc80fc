import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defaultSocketPath } from '#lib/pilot/socket-path.js'

describe('defaultSocketPath', () => {
  it('[ipc.socket-env] [ipc.socket-runtime-dir] [ipc.socket-tmp] follows the environment', () => {
    assert.equal(defaultSocketPath({ PILOT_SOCKET: '/x', XDG_RUNTIME_DIR: '/run/u' }), '/x')
    const linux = process.platform === 'linux'
    assert.equal(
      defaultSocketPath({ XDG_RUNTIME_DIR: '/run/u' }),
      linux ? '/run/u/pilot.sock' : '/tmp/pilot.sock',
    )
    assert.equal(defaultSocketPath({ PILOT_SOCKET: '', XDG_RUNTIME_DIR: '' }), '/tmp/pilot.sock')
    assert.equal(defaultSocketPath({}), '/tmp/pilot.sock')
  })
})
