import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: { alias: [{ find: /^@tensorflow\/tfjs-backend-cpu$/, replacement: at('../../node_modules/@tensorflow/tfjs-backend-cpu/dist/index.js') }, { find: /^@tensorflow\/tfjs-core$/, replacement: at('../../node_modules/@tensorflow/tfjs-core/dist/index.js') }] },
  ssr: { noExternal: ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu'] },
  build: {
    ssr: true,
    outDir: at('../../out/bench'),
    rollupOptions: { input: { step: at('step.ts'), quality: at('quality.ts'), table: at('table.ts'), crops: at('../../src-main/engine/cropWorker.ts') }, output: { format: 'es', chunkFileNames: '[name]-[hash].js' } },
    minify: false
  },
  logLevel: 'warn'
})
