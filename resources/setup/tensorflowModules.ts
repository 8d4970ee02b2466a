import { fileURLToPath } from 'node:url'

/** Node would choose the CommonJS builds, which have no gradients. These aliases choose the module builds. */
export const tensorflowModules = ['tfjs-core', 'tfjs-backend-cpu'].map((name) => ({
  find: new RegExp(`^@tensorflow/${name}$`),
  replacement: fileURLToPath(new URL(`../../node_modules/@tensorflow/${name}/dist/index.js`, import.meta.url))
}))
