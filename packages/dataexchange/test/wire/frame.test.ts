import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FRAME_HEADER_SIZE, FrameType, typeName } from '#lib/wire/frame.js'
import { frameVectors } from '../../../../test/helpers/vectors.js'

test('[frame.types] the types have the numbers and names of the protocol', () => {
  const names = Object.values(FrameType).map(type => [type, typeName(type)])
  assert.deepEqual(names, [
    [1, 'TEXT'],
    [2, 'BINARY'],
    [3, 'JSON'],
    [4, 'FILE'],
    [5, 'TRACE'],
    [6, 'AUTOANSWER'],
    [7, 'FILESTREAM'],
    [10, 'TAGGED'],
  ])
})

test('[frame.types] [frame.unknown-name] the names are those of the original', () => {
  for (const { type, type_name } of frameVectors.encode) assert.equal(typeName(type), type_name)
})

test('[frame.unknown-name] the retired numbers, and all others, are unknown', () => {
  for (const type of [0, 8, 9, 11, 255, 0xffff_ffff]) assert.equal(typeName(type), `UNKNOWN(${type})`)
})

test('[frame.header] the header has 8 bytes', () => {
  assert.equal(FRAME_HEADER_SIZE, 8)
})
