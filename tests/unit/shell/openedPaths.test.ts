import { describe, expect, it } from 'vitest'
import { pathsOf } from '../../../src-main/shell/openedPaths.ts'

describe('what the program is started with', () => {
  it('is its files and folders, relative ones from where it was started, and not its options', () => {
    expect(pathsOf(['--proxy-server=x', 'images', '', '/data/a b.tif'], '/home/eva')).toEqual([
      '/home/eva/images',
      '/data/a b.tif'
    ])
  })

  it('is taken by address from this machine', () => {
    expect(pathsOf(['file:///data/M%C3%BCnchen%20%F0%9F%8C%B2.tif'], '/')).toEqual(['/data/München 🌲.tif'])
  })

  it('keeps what cannot be found, so that its opening tells so', () => {
    expect(pathsOf(['file://server/share/a.tif', 'file:///%FF', 'gone'], '/data')).toEqual([
      'file://server/share/a.tif',
      'file:///%FF',
      '/data/gone'
    ])
  })
})
