/** The HTML report in Chromium: no script error, no request, no overflow on a phone, readable in both colour schemes. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exampleReport, hostileReport, longReport } from '../../../../testing/drill-report.ts'
import { temporaryFolder } from '../../../../testing/folder.ts'
import { htmlOfReport } from './page.ts'

const CHROMIUM = '/usr/bin/chromium'
const absent = existsSync(CHROMIUM) ? undefined : 'the package chromium is not installed'
if (absent !== undefined && process.env['CI'] === 'true') throw new Error(`${absent}, which CI needs`)

const REPORTS = {
  passed: exampleReport(),
  hour: exampleReport({}, 3_600),
  hostile: hostileReport(),
  long: longReport(),
}
const SCHEMES = ['light', 'dark'] as const
const PHONE = 360
const DESKTOP = 1_200

const folder = temporaryFolder()
let browser: Browser

describe.skipIf(absent !== undefined)(`in Chromium${absent === undefined ? '' : ` (skipped: ${absent})`}`, () => {
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  })
  afterAll(() => browser.close())

  const cases = Object.entries(REPORTS).flatMap(([name, report]) =>
    SCHEMES.flatMap((scheme) => [PHONE, DESKTOP].map((width) => ({ name, report, scheme, width }))),
  )

  test.each(cases)('$name is whole in $scheme at $width px', async ({ name, report, scheme, width }) => {
    const { page, problems } = await open(name, htmlOfReport(report), { scheme, width })
    await using _ = page
    expect(await widthOf(page)).toBeLessThanOrEqual(width)
    expect(await lowestContrast(page)).toBeGreaterThanOrEqual(4.5)
    expect(await page.locator('h1').count()).toBe(1)
    expect(await page.locator('img, iframe, object').count()).toBe(0)
    expect(problems).toEqual([])
  })

  test('the cursor reads values out by pointer and by keyboard', async () => {
    const { page, problems } = await open('cursor', htmlOfReport(exampleReport()), { scheme: 'light', width: DESKTOP })
    await using _ = page
    await page.locator('#chart').hover({ position: { x: 3, y: 200 } })
    expect(await page.locator('#readout').textContent()).toMatch(/^0:00 · 19 good\/s · 0 failed\/s · median 4 ms/)
    await page.locator('#chart').focus()
    await page.keyboard.press('ArrowRight')
    expect(await page.locator('#readout').textContent()).toMatch(/^0:01 · 20 good\/s/)
    expect(await page.locator('#cursor').getAttribute('visibility')).toBe('visible')
    expect(problems).toEqual([])
  })

  test('the policy of the page refuses another script, another style and a request', async () => {
    const inserted = '<script>document.title = "taken"</script><img src="https://evil.example/x"></body>'
    const text = htmlOfReport(exampleReport()).replace('</body>', inserted)
    const { page, problems } = await open('sabotaged', text, { scheme: 'light', width: DESKTOP })
    await using _ = page
    expect(await page.title()).toContain('A killed primary')
    expect(problems.join('\n')).toMatch(/Content Security Policy/)
  })

  test('an overflow on a phone is noticed', async () => {
    const text = htmlOfReport(exampleReport()).replace('class="message"', 'class="message" width="900"')
    const wide = text.replace('<main>', `<main><svg width="900" height="1"></svg>`)
    const { page } = await open('wide', wide, { scheme: 'light', width: PHONE })
    await using _ = page
    expect(await widthOf(page)).toBeGreaterThan(PHONE)
  })

  test('everything but the cursor works without scripts', async () => {
    const options = { scheme: 'light', width: DESKTOP, scripts: false } as const
    const { page } = await open('plain', htmlOfReport(exampleReport()), options)
    await using _ = page
    expect(await page.locator('svg#chart path').count()).toBeGreaterThan(3)
    await page.locator('summary').click()
    expect(await page.locator('details tbody tr').count()).toBe(60)
  })
})

interface View {
  readonly scheme: 'light' | 'dark'
  readonly width: number
  readonly scripts?: boolean
}

/** Opens the file. `problems` gets script errors, messages of the console and requests to another address. */
async function open(
  name: string,
  text: string,
  { scheme, width, scripts = true }: View,
): Promise<{ page: Page; problems: readonly string[] }> {
  const file = join(folder, `${name}.html`)
  writeFileSync(file, text)
  const viewport = { width, height: 800 }
  const page = await browser.newPage({ viewport, colorScheme: scheme, javaScriptEnabled: scripts })
  const problems: string[] = []
  page.on('pageerror', ({ message }) => problems.push(message))
  page.on('console', (message) => problems.push(message.text()))
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) problems.push(`request ${request.url()}`)
  })
  await page.goto(pathToFileURL(file).href)
  return { page, problems }
}

const widthOf = (page: Page): Promise<number> => page.evaluate<number>('document.documentElement.scrollWidth')

/** Returns the lowest contrast of a text with its background (WCAG 2, relative luminance). */
const lowestContrast = (page: Page): Promise<number> => page.evaluate<number>(CONTRAST)

const CONTRAST = `(() => {
  const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number)
  const luminance = (text) => {
    const [red, green, blue] = rgb(text).map((value) => channel(value / 255))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const background = (element) => {
    if (element === null) return 'rgb(255, 255, 255)'
    const { backgroundColor } = getComputedStyle(element)
    return rgb(backgroundColor)[3] === 0 ? background(element.parentElement) : backgroundColor
  }
  const texts = [...document.querySelectorAll('h1, h2, h3, p, dt, dd, b, span, th, td, caption, li, summary, svg text')]
  const contrasts = texts.map((element) => {
    const style = getComputedStyle(element)
    const color = element instanceof SVGElement ? style.fill : style.color
    const [light, dark] = [luminance(color), luminance(background(element))].sort((a, b) => b - a)
    return (light + 0.05) / (dark + 0.05)
  })
  return Math.min(...contrasts)
})()`
