// The rows of the matrix in docs/compatibility.md. Each row names its tests in test/interop by file and beginning of the
// title, and every test must be in a row. Results come from test/interop/results.json. `notes` has observations by hand, by
// version.
export const ROWS = [
  {
    what: 'their `pilotctl` on the embedded daemon and `pilot-dx serve`: info, health, find, trust, set-hostname',
    tests: ['pilotctl-embedded: info, health', 'pilotctl-embedded: the same verbs'],
  },
  {
    what: '… send-message of each type, send-file, to itself and to another node',
    tests: [
      'pilotctl-embedded: send-message: text',
      'pilotctl-embedded: send-file, with',
      'pilotctl-embedded: from one node',
    ],
  },
  {
    what: '… `--count`, `--reuse-conn`, `--trace`, `--wait`, ERR as a failure, an unknown node',
    tests: [
      'pilotctl-embedded: send-message --count',
      'pilotctl-embedded: send-message --wait',
      'pilotctl-embedded: what is refused',
      'pilotctl-embedded: a node that does not exist',
    ],
  },
  {
    what: '… each type at 1 byte, 8 KiB and 1 MiB; files under names in eleven scripts and forms',
    tests: ['kinds: pilotctl send-message of each', 'kinds: pilotctl send-file under names'],
  },
  {
    what: '… `inbox`, `received`, with `--clear`, on folders that `serve` filled',
    tests: ['pilotctl-embedded: pilotctl inbox', 'pilotctl-embedded: pilotctl received'],
  },
  {
    what: 'our driver on their daemon: info, resolve, bind, dial, streams, PORT_IN_USE, an abandoned dial',
    tests: [
      'daemon-driver: INFO',
      'daemon-driver: listen and dial',
      'daemon-driver: a port in use',
      'daemon-driver: a dial that is given up',
    ],
    notes: { '1.12.3': 'a port is freed with its socket', '1.7.2': 'a port is freed with its socket' },
  },
  {
    what: '… 3 MB, then the end of the stream at once',
    tests: ['daemon-driver: many bytes'],
    notes: { '1.12.3': 'bytes are lost sometimes', '1.7.2': 'bytes are lost sometimes' },
  },
  {
    what: '`pilot-dx serve` on their daemon with `-no-dataexchange`, messages and files from their node',
    tests: ['daemon-service: serve takes what', 'daemon-service: serve takes bytes'],
    notes: { '1.12.3': 'files up to 100 KB' },
  },
  {
    what: '… the daemon killed and started again; queued messages arrive',
    tests: ['daemon-service: the daemon is killed', 'outbox: messages that are queued'],
    notes: { '1.18.0': 'bound again 60 ms after it was back' },
  },
  {
    what: '`pilot-dx send-message`, `send-file` to their service; our `inbox` and `received` on its folders',
    tests: ['daemon-service: send-message and send-file', 'daemon-service: what cannot be reached'],
    notes: { '1.12.3': 'files up to 100 KB', '1.7.2': 'invalid UTF-8 is lost in its inbox' },
  },
  {
    what: '… each type at 1 byte, 8 KiB and 1 MiB; files under the same names',
    tests: ['kinds: pilot-dx send-message of each', 'kinds: pilot-dx send-file under'],
  },
  {
    what: '`pilotctl send-file` in chunks to `serve`, on their daemon and on the embedded one: 0 bytes to 10 MB',
    tests: [
      'file-stream: pilotctl send-file to serve',
      'file-stream: pilotctl send-file on the embedded',
      'file-stream: 10 MB in chunks',
    ],
    notes: { '1.12.3': 'arrives (300 KB)', '1.7.2': 'it sends FILE' },
  },
  {
    what: '`pilot-dx send-file` in chunks to their service: the same sizes, a folder, resumed, after a damaged partial file',
    tests: [
      'file-stream: send-file to the original’s service',
      'file-stream: send-file of a folder',
      'daemon-service: send-file in chunks',
    ],
    notes: {
      '1.12.3': 'in chunks too, verified (100 KB)',
      '1.7.2': 'does not support chunks: one FILE frame',
    },
  },
  {
    what: '… each of the four senders and receivers killed during a transfer; the next attempt resumes',
    tests: ['file-stream-kills: '],
  },
  {
    what: '… over the quota of `serve`: `pilotctl` reports the refusal',
    tests: ['file-stream: a file over the quota'],
  },
  {
    what: 'message ids and `reply_to`, both ways; duplicates are stored once, with the same answers',
    tests: [
      'tagged: pilotctl send-message to serve',
      'tagged: the same on the embedded',
      'tagged: send-message to the original',
      'tagged: both services',
    ],
    notes: {
      '1.12.3': 'does not support ids: sent again without them',
      '1.7.2': 'does not support ids: sent again without them',
    },
  },
  {
    what: '`--wait` with a reply that names the request, with a reply without ids, and without a reply; both ways',
    tests: ['replies: pilotctl --wait gets', 'replies: --wait'],
  },
  {
    what: '`pilot-dx send-message --reply-on-conn` to their service: falls back to TEXT; `pilotctl` to a service with an answer hook',
    tests: ['replies: --reply-on-conn', 'replies: pilotctl to a service'],
  },
  {
    what: '`pilotctl inbox` and `received`, with `--clear`, beside hidden subfolders and while `serve` runs',
    tests: ['folders: '],
  },
  {
    what: '`pilot-dx trace` to their service',
    tests: ['daemon-service: trace measures'],
    notes: { '1.7.2': 'does not support TRACE: `PEER_UNSUPPORTED`' },
  },
  {
    what: 'the same frames to both services: the same answers and fields; malformed frames; known differences',
    tests: [
      'daemon-service: both services',
      'daemon-service: a type that neither knows',
      'tagged: a malformed TAGGED',
      'tagged: what only one of them',
    ],
  },
  {
    what: 'the vectors: `pilotctl` writes them, and their service accepts and refuses the same ones',
    tests: ['kinds: pilotctl sends what the vectors', 'kinds: the original’s service takes'],
  },
  {
    what: 'their Python SDK: messages and a file of 3 MB on the embedded daemon and to `serve`, listen and dial',
    tests: ['python-sdk: '],
    notes: {
      '1.12.3': 'its package does not load its own library',
      '1.7.2': 'messages up to 1 MiB; it does not split larger messages, which its own daemon also refuses',
    },
  },
  {
    what: 'the same abuse of both services (below)',
    tests: ['score: '],
  },
]
