import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CliError, reportOf, withDetails } from '#cli/shared/errors.js'
import { ERROR_CODES, type ErrorCode } from '#lib/error-codes.js'
import { PilotError, PluginError } from '#lib/errors.js'

test('every code of the library has an exit code and a word of the envelope', () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const { exitCode, envelope } = reportOf(new PilotError(code, 'why'))
    assert.ok(exitCode >= 1 && exitCode <= 5, code)
    assert.match(
      envelope.code,
      /^(invalid_argument|not_found|not_running|connection_failed|timeout|internal)$/,
    )
    assert.deepEqual([envelope.error_code, envelope.message], [code, 'why'])
  }
})

test('what made a service fail is told, not that it failed', () => {
  const cause = new PilotError('PORT_IN_USE', 'taken')
  const { envelope } = reportOf(new PluginError('SERVICE_START_FAILED', 'no start', { cause }))
  assert.deepEqual([envelope.error_code, envelope.message], ['PORT_IN_USE', 'taken'])
})

test('errors of the system and others are failures', () => {
  const denied = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
  assert.deepEqual(reportOf(denied), {
    exitCode: 1,
    envelope: { code: 'internal', error_code: 'EACCES', message: 'EACCES: permission denied' },
  })
  assert.equal(reportOf('text').envelope.message, 'text')
})

test('details are added, and all else stays', () => {
  const error = withDetails(new PilotError('DIAL_FAILED', 'no way'), { results: [1] })
  const { exitCode, envelope } = reportOf(error)
  assert.equal(exitCode, 4)
  assert.deepEqual(
    [envelope.code, envelope.error_code, envelope.message, envelope.results],
    ['connection_failed', 'DIAL_FAILED', 'no way', [1]],
  )
  assert.equal(reportOf(new CliError('bad')).exitCode, 2)
})
