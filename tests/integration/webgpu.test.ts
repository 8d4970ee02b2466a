import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import '@tensorflow/tfjs-backend-cpu'
import type * as Ort from 'onnxruntime-web'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { executeEagerly } from '../../src-main/backends/eager.ts'
import { recordProgram } from '../../src-main/backends/onnx/execution.ts'
import { stepFixture } from '../fixtures/step.ts'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))
const DIST = 'node_modules/onnxruntime-web/dist'
const TYPES: Record<string, string> = { '.mjs': 'text/javascript', '.js': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html' }

if (!CHROMIUM) console.warn('NOT TESTED: there is no Chromium here for the WebGPU provider')

describe.runIf(CHROMIUM)("ONNX Runtime's WebGPU provider, on SwiftShader", () => {
  let server: Server
  let browser: Browser

  beforeAll(async () => {
    server = createServer((request, response) => {
      const name = (request.url ?? '/').slice(1)
      const body = name === '' ? Promise.resolve(Buffer.from('<!doctype html>')) : readFile(join(DIST, name))
      body.then(
        (bytes) => response.writeHead(200, { 'content-type': TYPES[extname(name) || '.html'] }).end(bytes),
        () => response.writeHead(404).end()
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--headless=new', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan', '--disable-background-networking', '--disable-component-update']
    })
  })
  afterAll(async () => {
    await browser.close()
    server.close()
  })

  it('runs the recorded training step with the results of the plain CPU backend', async () => {
    const { program, inputs, state } = stepFixture()
    const { model, carried } = recordProgram(program)
    const feeds = Object.entries({ ...inputs, ...state }).map(([name, values]) => ({ name, values: [...values], shape: [...(program.inputs[name] ?? program.state[name])] }))
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await page.addScriptTag({ url: '/ort.webgpu.min.js' })
    const found = await page.evaluate(
      async ({ model, feeds }) => {
        const gpu = (navigator as unknown as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu
        if (!(await gpu?.requestAdapter())) return undefined
        const { ort } = globalThis as unknown as { ort: typeof Ort }
        ort.env.wasm.wasmPaths = `${location.origin}/`
        ort.env.wasm.numThreads = 1
        const bytes = Uint8Array.from(atob(model), (letter) => letter.charCodeAt(0))
        const session = await ort.InferenceSession.create(bytes, { executionProviders: ['webgpu'] })
        const tensors = Object.fromEntries(
          feeds.filter(({ name }) => session.inputNames.includes(name)).map(({ name, values, shape }) => [name, new ort.Tensor('float32', Float32Array.from(values), shape)])
        )
        const results = await session.run(tensors)
        return Object.fromEntries(await Promise.all(Object.entries(results).map(async ([name, tensor]) => [name, [...((await tensor.getData()) as Float32Array)]] as const)))
      },
      { model: Buffer.from(model).toString('base64'), feeds }
    )
    if (!found) {
      console.warn('NOT TESTED: this Chromium offers no WebGPU adapter')
      return
    }
    const expected = executeEagerly('cpu', program, state)
    const outputs = await expected.run(inputs)
    for (const name of program.outputs) outputs[name].forEach((value, i) => expect(found[name][i], name).toBeCloseTo(value, 4))
    const next = await expected.readState()
    for (const name of carried) {
      const scale = Math.max(...next[name].map(Math.abs), 1e-9)
      const worst = Math.max(...next[name].map((value, i) => Math.abs(value - found[`next:${name}`][i])))
      expect(worst / scale, name).toBeLessThan(1e-3)
    }
  })
})
