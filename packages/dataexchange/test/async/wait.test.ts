import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withWait } from '#lib/async/wait.js'

const never = () => new Promise<never>(() => {})

describe('withWait', () => {
  it('resolves as the call does', async () => {
    assert.equal(await withWait('it', {}, async () => 7), 7)
    await assert.rejects(
      withWait('it', { timeoutMs: 1000 }, async () => {
        throw new Error('mine')
      }),
      /mine/,
    )
  })

  it('times out, and aborts the signal of the call', async () => {
    let told: AbortSignal | undefined
    const call = withWait('the call', { timeoutMs: 10 }, signal => {
      told = signal
      return never()
    })
    await assert.rejects(call, { name: 'DriverError', code: 'TIMED_OUT', message: /the call.*10 ms/ })
    assert.equal(told?.aborted, true)
    assert.match(String(told?.reason), /10 ms/)
  })

  it('rejects when the signal fires, with its reason as the cause', async () => {
    const controller = new AbortController()
    const call = withWait('it', { signal: controller.signal }, never)
    const reason = new Error('enough')
    controller.abort(reason)
    await assert.rejects(call, { name: 'AbortError', code: 'ABORTED', cause: reason })
  })

  it('does not start if the signal has already fired', async () => {
    let started = false
    const call = withWait('it', { signal: AbortSignal.abort() }, async () => {
      started = true
    })
    await assert.rejects(call, { code: 'ABORTED' })
    assert.equal(started, false)
  })

  it('treats Infinity as no limit', async () => {
    assert.equal(await withWait('it', { timeoutMs: Number.POSITIVE_INFINITY }, async () => 1), 1)
  })

  it('removes its listener from the signal', async () => {
    const controller = new AbortController()
    let inner: AbortSignal | undefined
    await withWait('it', { signal: controller.signal }, async signal => {
      inner = signal
    })
    controller.abort()
    assert.equal(inner?.aborted, false)
  })
})
