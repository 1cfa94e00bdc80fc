import assert from 'node:assert/strict'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { defaultHome } from '#lib/home.js'
import { evaluate } from '../../../test/helpers/child.ts'
import { tempDir } from '../../../test/helpers/temp-dir.ts'

test('defaultHome is PILOT_HOME, else .pilot in the home folder of the user', () => {
  assert.equal(defaultHome({ PILOT_HOME: '/x/y' }), '/x/y')
  assert.equal(defaultHome({ PILOT_HOME: 'y' }), join(process.cwd(), 'y'))
  assert.equal(defaultHome({ PILOT_HOME: '' }), join(homedir(), '.pilot'))
  assert.equal(defaultHome({}), join(homedir(), '.pilot'))
})

test('the mailbox, the consumer, the watch for replies and the outbox honour PILOT_HOME', async t => {
  const home = tempDir(t)
  const source = `
    process.env.PILOT_HOME = ${JSON.stringify(home)}
    const { InboxConsumer, Mailbox } = await import('pilot-dataexchange/mailbox')
    const { Outbox } = await import('pilot-dataexchange/outbox')
    const mailbox = await Mailbox.open()
    const consumer = await InboxConsumer.open()
    const outbox = await Outbox.open()
    console.log(JSON.stringify([mailbox.inboxDir, mailbox.receivedDir, consumer.dir, outbox.dir]))
    await mailbox.close()
    process.exit()`
  const folders = ['inbox', 'received', 'inbox', 'outbox'].map(name => join(home, name))
  assert.deepEqual(await evaluate(source), folders)
})
