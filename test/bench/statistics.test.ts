import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measure } from '../../bench/rounds.ts'
import { quantile, ratioOf, summarize } from '../../bench/statistics.ts'

test('a summary is the median, and the quartiles, of samples in any order', () => {
  const { median, low, high } = summarize([50, 10, 30, 20, 40])
  assert.deepEqual([median, low, high], [30, 20, 40])
})

test('a quantile between two samples is in proportion', () => {
  assert.equal(quantile([10, 20], 0.5), 15)
  assert.equal(quantile([10, 20, 30, 40], 0.5), 25)
  assert.equal(quantile([7], 0.999), 7)
})

test('ratios compare what was measured in the same round', () => {
  const { median, samples } = ratioOf([10, 100, 30], [5, 50, 10])
  assert.deepEqual(samples, [2, 2, 3])
  assert.equal(median, 2)
})

test('contenders are sampled in turn, each round beginning with another, and the first round does not count', async () => {
  const order: string[] = []
  const contender = (name: string) => ({
    name,
    sample: async () => {
      order.push(name)
      return { rate: order.length }
    },
  })
  const [figure] = await measure({
    id: 'a',
    title: 'a',
    metrics: { rate: { unit: 'times/s' } },
    comparisons: [
      { of: 'A', to: 'B' },
      { of: 'A', to: 'missing' },
    ],
    rounds: 2,
    contenders: [contender('A'), contender('B')],
  })
  assert.equal(order.join(''), 'ABBAAB')
  assert.deepEqual(figure?.contenders.A?.samples, [4, 5])
  assert.deepEqual(figure?.contenders.B?.samples, [3, 6])
  assert.deepEqual(
    figure?.ratios.map(({ of, to }) => [of, to]),
    [['A', 'B']],
  )
})
