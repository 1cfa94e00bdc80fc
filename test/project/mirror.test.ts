import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { sourceFiles } from '../helpers/sources.js'

/** Tests of a package that no single source file fits, each with its reason. */
const EXCEPTIONS: Record<string, string> = {
  'dataexchange/test/client/client-ids': 'message ids are checked in requests, answers and replies together',
  'dataexchange/test/client/transfer/vectors':
    'recorded transfers of the original run through all of the sender',
  'dataexchange/test/mailbox/faults': 'one fault of the file system each, for every kind of store',
  'dataexchange/test/mailbox/processes': 'several processes share one folder',
  'dataexchange/test/outbox/processes': 'several processes share one outbox',
  'dataexchange/test/service/file-stream/file-stream': 'whole transfers pass through all files of the folder',
  'dataexchange/test/service/limits': 'each limit of the service bounds several files',
}

/** Folders of a package's tests that hold no tests. */
const HELPERS = /\/test\/helpers\//

for (const name of ['dataexchange', 'pilot-dx']) {
  const tests = sourceFiles(`packages/${name}/test/`).filter(path => !HELPERS.test(path))

  test(`each test of ${name} has the name of its source`, () => {
    for (const path of tests) {
      assert.match(path, /\.test\.ts$/, `${path} is not a test; helpers belong in test/helpers`)
      const key = path.replace(/^packages\//, '').replace(/\.test\.ts$/, '')
      if (key in EXCEPTIONS) continue
      const source = `packages/${key.replace('/test/', '/src/')}.ts`
      assert.ok(existsSync(source), `${path} has no source ${source}`)
    }
  })
}

test('every exception gives its reason', () => {
  for (const reason of Object.values(EXCEPTIONS)) assert.ok(reason.length > 10)
})
