import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { tensorflowModules } from '../../resources/setup/tensorflowModules.ts'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: { alias: tensorflowModules },
  ssr: { noExternal: ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu'] },
  build: {
    ssr: true,
    outDir: at('../../out/bench'),
    rollupOptions: {
      input: {
        step: at('step.ts'),
        quality: at('quality.ts'),
        methods: at('methods.ts'),
        map: at('map.ts'),
        shiftMnist: at('shiftMnist.ts'),
        table: at('table.ts'),
        rasters: at('rasters.ts'),
        places: at('places.ts'),
        hardship: at('hardship/hardship.ts'),
        installed: at('installed.ts'),
        runtime: at('runtime.ts'),
        window: at('window.ts'),
        hostileReader: at('hardship/hostileReader.ts'),
        crops: at('../../src-main/engine/training/cropWorker.ts'),
        windows: at('../../src-main/engine/labelling/windowWorker.ts')
      },
      output: { format: 'es', chunkFileNames: '[name]-[hash].js' }
    },
    minify: false
  },
  logLevel: 'warn'
})
