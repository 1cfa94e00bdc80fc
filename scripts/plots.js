// Bar charts as SVG, for light and for dark pages.

const THEMES = {
  light: { text: '#1f2328', faint: '#d1d9e0', bars: ['#0969da', '#8250df', '#1a7f37', '#bc4c00', '#6e7781'] },
  dark: { text: '#f0f6fc', faint: '#3d444d', bars: ['#4493f8', '#ab7df8', '#3fb950', '#db6d28', '#9198a1'] },
}
const WIDTH = 720
const LABEL = 210
const BAR = 16
const GAP = 14
const TOP = 44

/**
 * Groups of bars, on a logarithmic scale where the values lie far apart: `{ title, unit, series: [name], groups: [{ name,
 * values: [{ median, low, high } or undefined] }] }`. Returns the SVG for each theme.
 */
export function barCharts(chart) {
  return Object.fromEntries(Object.entries(THEMES).map(([theme, colours]) => [theme, draw(chart, colours)]))
}

function draw({ title, unit, series, groups }, { text, faint, bars }) {
  const values = groups.flatMap(group => group.values.filter(Boolean))
  const most = Math.max(...values.map(({ high }) => high))
  const least = Math.min(...values.map(({ low }) => low))
  const isWide = most / least > 30
  const floor = isWide ? 10 ** Math.floor(Math.log10(least)) : 0
  const room = WIDTH - LABEL - 80
  const x = value =>
    LABEL + room * (isWide ? Math.log10(value / floor) / Math.log10(most / floor) : value / most)
  const parts = []
  let y = TOP
  for (const { name, values: own } of groups) {
    const top = y
    for (const [i, value] of own.entries()) {
      if (value === undefined) continue
      const middle = y + BAR / 2
      parts.push(
        `<rect x="${LABEL}" y="${y}" width="${round(x(value.median) - LABEL)}" height="${BAR - 3}" fill="${bars[i % bars.length]}"/>`,
        `<path d="M${round(x(value.low))} ${middle - 1}H${round(x(value.high))}" stroke="${text}" stroke-width="2"/>`,
        `<text x="${round(x(value.high) + 6)}" y="${middle + 3}">${escaped(number(value.median))}</text>`,
      )
      y += BAR
    }
    parts.push(`<text x="${LABEL - 8}" y="${(top + y) / 2 + 3}" text-anchor="end">${escaped(name)}</text>`)
    y += GAP
  }
  const legend = series.map((name, i) => {
    const at = LABEL + i * 96
    return `<rect x="${at}" y="26" width="10" height="10" fill="${bars[i % bars.length]}"/><text x="${at + 14}" y="35">${escaped(name)}</text>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" role="img" font-family="system-ui, sans-serif" font-size="12" fill="${text}">`,
    `<title>${escaped(title)}</title>`,
    `<text x="0" y="14" font-size="14" font-weight="600">${escaped(title)}, ${escaped(unit)}${isWide ? ' (logarithmic)' : ''}</text>`,
    ...legend,
    `<path d="M${LABEL} ${TOP - 4}V${y - GAP}" stroke="${faint}"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

/** As the tables have it. */
export function number(value) {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}

function round(value) {
  return Math.round(value * 10) / 10
}

function escaped(text) {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;')
}
