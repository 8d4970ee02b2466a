import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: { alias: [{ find: /^@tensorflow\/tfjs-core$/, replacement: at('../../node_modules/@tensorflow/tfjs-core/dist/index.js') }] },
  ssr: { noExternal: ['@tensorflow/tfjs-core'] },
  build: {
    ssr: true,
    outDir: at('../../out/bench'),
    rollupOptions: { input: { step: at('step.ts') }, output: { format: 'es' } },
    minify: false
  },
  logLevel: 'warn'
})
