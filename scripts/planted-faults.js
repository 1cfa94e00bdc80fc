// Faults to be planted into a copy of the compiled library, and the rows of the crash tests that must find them: a
// test that cannot fail shows nothing. Every `from` must be there, once.

/** Rows about power, with numbers that find each of the faults below for certain enough. */
const POWER_CUTS = { 'power-cut-ext4': 20, 'power-cut-xfs': 10 }
const POWER = { ...POWER_CUTS, 'reordered-writes': 40 }

export const PLANTED_FAULTS = [
  {
    name: 'no fsync of the file',
    edits: [['disk/temporary-file.js', 'await this.#handle.datasync()', 'undefined']],
    foundBy: POWER,
  },
  {
    name: 'no fsync of the folder',
    edits: [['disk/directory-sync.js', 'await handle.sync()', 'undefined']],
    foundBy: { ...POWER, 'outbox-power-cut': 10 },
  },
  {
    name: 'a file in chunks is not synced',
    edits: [['mailbox/partial/transfer.js', 'await handle.datasync()', 'undefined']],
    foundBy: POWER_CUTS,
  },
  {
    name: 'the hash of a file in chunks is not looked at',
    edits: [['mailbox/partial/transfer.js', 'if (digest.equals(this.#options.sha256))', 'if (digest)']],
    foundBy: { 'file-stream': 60 },
  },
  {
    name: 'ACK before fsync',
    edits: [
      [
        'disk/durable-folder.js',
        'this.durable ? this.#commit(sidecar) : undefined',
        'void setTimeout(() => this.#commit(sidecar).catch(() => {}), 20)',
      ],
    ],
    foundBy: POWER,
  },
  {
    name: 'one write call, its count not looked at',
    edits: [
      ['disk/write-all.js', 'while (rest.length > 0)', 'if (rest.length > 0)'],
      [
        'disk/temporary-file.js',
        'this.#size += bytesWritten',
        'this.#size += rest.reduce((sum, piece) => sum + piece.length, 0)',
      ],
      ['disk/temporary-file.js', 'if (size !== this.#size)', 'if (size < 0)'],
    ],
    foundBy: { 'fault-every-call': 0, 'folders-in-trouble': 1 },
  },
  {
    name: 'a rename that overwrites',
    edits: [['disk/publish.js', 'await link(temporary, ', 'await rename(temporary, ']],
    foundBy: { 'two-processes': 2_000, clock: 2_000, consumers: 200 },
  },
  {
    name: 'no temporary: written under the final name',
    edits: [
      [
        'disk/durable-folder.js',
        'const file = await this.createTemporary()',
        'const file = await TemporaryFile.create(join(this.layout.dir, choice.name))',
      ],
      ['disk/durable-folder.js', 'await publish(this.layout, file.path, name)', 'true'],
      ['disk/durable-folder.js', '            file.discard(),\n', ''],
    ],
    foundBy: { 'kill-random': 20, 'power-cut-ext4': 20 },
  },
  {
    name: 'published by copying',
    edits: [
      ['disk/publish.js', 'import { link, ', 'import { copyFile, link, '],
      [
        'disk/publish.js',
        'await link(temporary, join(layout.dir, name))',
        'await copyFile(temporary, join(layout.dir, name), 1)',
      ],
    ],
    foundBy: { 'kill-every-call': 0 },
  },
  {
    name: 'an ERR leaves the message behind',
    edits: [
      ['disk/durable-folder.js', 'await removeFile(join(this.layout.dir, name))', 'await Promise.resolve()'],
    ],
    foundBy: { 'fault-every-call': 0 },
  },
  {
    name: 'connections take the last descriptors',
    edits: [['service/peers/descriptor-reserve.js', 'return this.#open <= this.#most', 'return true']],
    foundBy: { 'folders-in-trouble': 1 },
  },
  {
    name: 'temporaries are not swept',
    edits: [['mailbox/mailbox.js', 'await sweepTemporaries(folder.layout)', '0']],
    foundBy: { 'kill-random': 20, model: 32 },
  },
  {
    name: 'no cap on the inbox',
    edits: [['mailbox/inbox/quota.js', 'this.#index.files > this.#limits.maxFiles || ', '']],
    foundBy: { model: 32 },
  },
  {
    name: 'after a restart the newest messages go first',
    edits: [
      ['mailbox/inbox/quota.js', 'a.age < b.age ? -1 : a.age > b.age ? 1 : 0', 'a.age < b.age ? 1 : -1'],
    ],
    foundBy: { model: 32 },
  },
  {
    name: 'the journal is not synced',
    edits: [['mailbox/journal/segment.js', 'await this.#sync(entries.length)', 'undefined']],
    foundBy: POWER,
  },
  {
    name: 'a small message is published, and acknowledged, before its journal is synced',
    edits: [
      [
        'mailbox/inbox/journaled-writer.js',
        'settle = await this.#journal?.append(entry)',
        'this.#journal?.append(entry).then(settle => settle(), () => {})',
      ],
    ],
    foundBy: POWER,
  },
  {
    name: 'a small message is published before its journal is synced',
    edits: [
      [
        'mailbox/inbox/journaled-writer.js',
        'settle = await this.#journal?.append(entry)',
        'const published = file.publish(entry.name); settle = await this.#journal?.append(entry)',
      ],
      ['mailbox/inbox/journaled-writer.js', 'return file.publish(entry.name)', 'return published'],
    ],
    foundBy: POWER,
  },
  {
    name: 'the journal is never read',
    edits: [
      [
        'mailbox/journal/journal-recovery.js',
        'const listed = await list(folder, logger)',
        'const listed = []',
      ],
    ],
    foundBy: { ...POWER, 'kill-random': 20 },
  },
  {
    name: 'a segment is removed, and its messages are not synced',
    edits: [
      ['mailbox/journal/checkpoints.js', 'if (segment.hasFailed)', 'if (true); else if (segment.hasFailed)'],
    ],
    foundBy: POWER_CUTS,
  },
  {
    name: 'segments are forgotten before their messages are written again',
    edits: [
      [
        'mailbox/inbox/journaled-writer.js',
        'this.#recovered = await recoverJournal(this.#folder, this.#logger)',
        'const { unlink } = await import("node:fs/promises"); ' +
          'this.#recovered = await recoverJournal(this.#folder, this.#logger); ' +
          'for (const { path } of this.#recovered.segments) await unlink(path)',
      ],
    ],
    foundBy: POWER_CUTS,
  },
  {
    name: 'it is not noted that a message was removed',
    edits: [
      ['mailbox/journal/tombstones.js', 'await appendTombstones(join(dir, segment), names)', 'undefined'],
    ],
    foundBy: { 'power-cut-acks': 20 },
  },
  {
    name: 'what is noted as removed is brought back',
    edits: [
      ['mailbox/journal/journal-recovery.js', 'if (removed.has(name))', 'if (removed.size < 0)'],
      ['mailbox/journal/journal-recovery.js', 'name => buried.has(name)', 'name => buried.size < 0'],
    ],
    foundBy: { 'power-cut-acks': 20 },
  },
  {
    name: 'what nobody was told of stays in the journal',
    edits: [['mailbox/inbox/journaled-writer.js', 'this.#revoked.add(name)', 'undefined']],
    foundBy: { 'fault-every-call': 0 },
  },
  {
    name: 'one write call for a small message, its count not looked at',
    edits: [
      ['disk/write-all.js', 'at += checkProgress(', 'at = Math.max(bytes.length, '],
      ['disk/small-file.js', 'if (size !== bytes.length)', 'if (size < 0)'],
    ],
    foundBy: { 'fault-every-call': 0 },
  },
  {
    name: 'a rename that overwrites, for small messages',
    edits: [
      ['disk/small-file.js', 'fstatSync, linkSync, ', 'fstatSync, renameSync, '],
      ['disk/small-file.js', 'linkSync(this.path, ', 'renameSync(this.path, '],
    ],
    foundBy: { 'two-processes': 2_000, clock: 2_000 },
  },
  {
    name: 'message ids are forgotten at a restart',
    edits: [
      [
        'mailbox/ids/deliveries.js',
        'const { records, abandoned } = await this.#log.read(logger)',
        'const [records, abandoned] = [[], []]',
      ],
    ],
    foundBy: { duplicates: 10 },
  },
  {
    name: 'a message id is on record only after its message is there',
    edits: [
      [
        'mailbox/ids/delivery.js',
        'file: await this.#memory.append(record, true)',
        'file: { release: async () => undefined }',
      ],
    ],
    foundBy: { duplicates: 40, 'kill-every-call': 0 },
  },
  {
    name: 'message ids are not synced',
    edits: [['mailbox/ids/id-log.js', 'await file.sync()', 'undefined']],
    foundBy: { 'duplicates-power-cut': 10 },
  },
  {
    name: 'no fsync of the record',
    edits: [['mailbox/received/records.js', 'await file.finish(this.#durable)', 'await file.finish(false)']],
    foundBy: POWER,
  },
  {
    name: 'the archive of a folder goes before the folder is there',
    edits: [
      [
        'mailbox/unpacking/unpacker.js',
        'await quota.reserve(count)',
        'await removeFile(this.#path(name)); await quota.reserve(count)',
      ],
    ],
    foundBy: { unpack: 20 },
  },
  {
    name: 'a folder is unpacked where it is seen',
    edits: [
      [
        'mailbox/unpacking/unpacker.js',
        'const temporary = temporaryPath(layout)',
        'const temporary = this.#path(target)',
      ],
      [
        'mailbox/unpacking/unpacker.js',
        'await rm(temporary, { recursive: true, force: true })',
        'await Promise.resolve()',
      ],
    ],
    foundBy: { unpack: 20 },
  },
  {
    name: 'half-unpacked folders are not swept',
    edits: [['disk/sweep.js', 'await rm(path, { recursive: true, force: true })', 'undefined']],
    foundBy: { unpack: 20 },
  },
  {
    name: 'records without a file are not swept',
    edits: [['mailbox/received/received.js', 'await this.#records.sweep()', 'undefined']],
    foundBy: { 'kill-every-call': 0 },
  },
  {
    name: 'a record with the hash of another file',
    edits: [
      [
        'mailbox/received/received.js',
        "delivery?.payloadSha256 ?? hash.digest('hex')",
        "createHash('sha256').digest('hex')",
      ],
    ],
    foundBy: { 'kill-random': 20 },
  },
  {
    name: 'a lease is taken over before it has run out',
    edits: [['mailbox/consumers/inbox-consumer.js', ' || state.until > Date.now()', '']],
    foundBy: { consumers: 100 },
  },
  {
    name: 'an acknowledgement that is not synced',
    edits: [
      [
        'mailbox/consumers/lease-folder.js',
        "'a', FILE_MODE)).close());\n        if (this.#durable)",
        "'a', FILE_MODE)).close());\n        if (false)",
      ],
    ],
    foundBy: { 'power-cut-acks': 10 },
  },
  {
    name: 'an outbox entry is removed before its ACK',
    edits: [
      [
        'outbox/run/attempt.js',
        'return sendFrame(client, send)',
        'const sent = sendFrame(client, send); sent.catch(() => {}); await new Promise(setImmediate); ' +
          "await (await import('node:fs/promises')).unlink(dir + '/' + stem + '.msg'); return sent",
      ],
    ],
    foundBy: { outbox: 200 },
  },
  {
    name: 'an outbox entry gets a fresh message id at each try',
    edits: [
      [
        'outbox/run/send-entry.js',
        'client.deliver(message, { messageId,',
        'client.deliver(message, { messageId: crypto.randomUUID(),',
      ],
    ],
    foundBy: { outbox: 200 },
  },
  {
    name: 'a file keeps the control characters of its name',
    edits: [['mailbox/names.js', "text.replace(UNSAFE, '_')", 'text']],
    foundBy: { names: 500 },
  },
  {
    name: 'a frame as large as the cap is too large',
    edits: [['wire/frame-parser.js', 'this.#remaining > this.#cap', 'this.#remaining >= this.#cap']],
    foundBy: { 'fuzz-decoder': 100_000 },
  },
  {
    name: 'a header that comes in pieces is put together wrongly',
    edits: [['wire/frame-parser.js', 'this.#field.set(piece, this.#fieldUsed)', 'this.#field.set(piece, 0)']],
    foundBy: { 'fuzz-property': 2_000, 'fuzz-decoder': 100_000 },
  },
  {
    name: 'answers come in another order than frames',
    edits: [['service/answer-queue.js', 'this.#slots.push(slot)', 'this.#slots.splice(-1, 0, slot)']],
    foundBy: { 'fuzz-service': 2_000 },
  },
  {
    name: 'no cap on connections',
    edits: [['service/peers/peers.js', 'this.#connections >= maxConnections', 'this.#connections < 0']],
    foundBy: { connections: 1 },
  },
  {
    name: 'a frame may take for ever',
    edits: [['service/peers/deadlines.js', 'due !== undefined && now > due', 'now < 0']],
    foundBy: { hostile: 1 },
  },
  {
    name: 'peers whose frames are refused are read as fast as others, and nobody takes turns',
    edits: [
      ['service/peers/fair-scheduler.js', 'if (!this.#isFree())', 'if (false)'],
      ['service/peers/refusal-limiter.js', 'this.#bucket.take(1)', 'undefined'],
    ],
    foundBy: { hostile: 1 },
  },
  {
    name: 'something is kept of every answer',
    edits: [
      [
        'service/answer-queue.js',
        'this.#readyTypes.push(frameType)',
        'this.#readyTypes.push(frameType); (globalThis.kept ??= []).push(new Array(1_000).fill(0))',
      ],
    ],
    foundBy: { soak: 1 },
  },
  {
    name: 'frames are collected in memory, whatever is held already',
    edits: [
      ['service/frame-assembler.js', 'return this.#small.length + coming >= TIGHT_FRAME', 'return false'],
      ['service/connection.js', 'if (!this.#gate.isOpen)', 'if (this.#gate.isOpen === undefined)'],
    ],
    foundBy: { memory: 1 },
  },
  {
    name: 'a service does not come back to a daemon that was away',
    edits: [['service/accept-loop.js', 'current = await listenAgain(options)', 'return']],
    foundBy: { 'daemon-restarts': 1 },
  },
  {
    name: 'a transfer does not connect again',
    edits: [
      [
        'client/transfer/retries.js',
        'return this.#failures < FIXED_LIMITS',
        'return this.#failures < 0 && FIXED_LIMITS',
      ],
    ],
    foundBy: { 'file-stream-cuts': 50 },
  },
]
