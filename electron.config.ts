import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'electron-vite'
import { tensorflowModules } from './resources/setup/tensorflowModules.ts'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** How the main process, the preload script and the window are built. */
export default defineConfig({
  main: {
    resolve: { alias: tensorflowModules },
    build: {
      // The command line also runs on plain Node.
      target: 'node20.19',
      externalizeDeps: { exclude: ['@tensorflow/tfjs-core'] },
      outDir: 'out/main',
      rollupOptions: {
        input: {
          main: at('src-main/shell/main.ts'),
          engine: at('src-main/engine/process.ts'),
          pictures: at('src-main/engine/pictures/process.ts'),
          crops: at('src-main/engine/training/cropWorker.ts'),
          windows: at('src-main/engine/labelling/windowWorker.ts'),
          smalti: at('src-main/cli/smalti.ts'),
          demo: at('src-main/cli/demo.ts')
        },
        output: { format: 'es', chunkFileNames: '[name]-[hash].js' }
      }
    }
  },
  preload: {
    build: {
      outDir: 'out/preload',
      rollupOptions: {
        input: at('src-main/shell/preload.ts'),
        output: { format: 'cjs', entryFileNames: 'preload.cjs' }
      }
    }
  },
  renderer: {
    root: 'src-renderer',
    plugins: [svelte()],
    build: { outDir: 'out/renderer', rollupOptions: { input: at('src-renderer/index.html') } }
  }
})
