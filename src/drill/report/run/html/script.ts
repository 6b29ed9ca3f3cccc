/**
 * The script of the page: a cursor over the time line that reads out the values. The page is complete without it. It
 * reads its values from the element `values`, and makes no request.
 */
export const SCRIPT = `
(() => {
  const chart = document.getElementById('chart')
  const cursor = document.getElementById('cursor')
  const readout = document.getElementById('readout')
  const { spanMs, seconds, rows } = JSON.parse(document.getElementById('values').textContent)
  if (rows.length === 0) return
  const two = (value) => String(value).padStart(2, '0')
  const time = (whole) => Math.floor(whole / 60) + ':' + two(whole % 60)
  const latency = (ms) => (ms === 0 ? 'no good write' : 'median ' + ms[0] + ' ms, 99th percentile ' + ms[1] + ' ms')
  let index = 0
  const show = (next) => {
    index = Math.min(rows.length - 1, Math.max(0, next))
    const [good, failed, p50, p99] = rows[index]
    const x = (((index + 0.5) * seconds * 1000) / spanMs) * 100 + '%'
    cursor.setAttribute('x1', x)
    cursor.setAttribute('x2', x)
    cursor.setAttribute('visibility', 'visible')
    readout.textContent = time(index * seconds) + ' · ' + good + ' good/s · ' + failed + ' failed/s · ' +
      latency(p99 === 0 ? 0 : [p50, p99])
  }
  chart.addEventListener('pointermove', (event) => {
    const box = chart.getBoundingClientRect()
    show(Math.floor((((event.clientX - box.left) / box.width) * spanMs) / (seconds * 1000)))
  })
  chart.setAttribute('tabindex', '0')
  chart.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    show(index + step)
  })
  readout.setAttribute('aria-live', 'polite')
})()
`
