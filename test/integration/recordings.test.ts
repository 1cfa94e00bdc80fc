import { describe, test } from 'node:test'
import { isReplayable, replay } from '../interop/recording/replay.js'
import { readTranscripts, VERSIONS } from '../interop/recording/transcript.js'

// The original's side of each recording, played again to our programs.

const transcripts = VERSIONS.flatMap(readTranscripts)

describe('replays', { concurrency: 4 }, () => {
  for (const transcript of transcripts.filter(isReplayable)) {
    test(`${transcript.name}: ${transcript.test}`, t => replay(t, transcript))
  }
})
