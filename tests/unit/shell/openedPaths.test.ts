import { describe, expect, it } from 'vitest'
import { pathsOf } from '../../../src-main/shell/openedPaths.ts'

describe('the paths among the program’s arguments', () => {
  it('are its files and folders, without options, relative ones resolved in the starting folder', () => {
    expect(pathsOf(['--proxy-server=x', 'images', '', '/data/a b.tif'], '/home/eva')).toEqual([
      '/home/eva/images',
      '/data/a b.tif'
    ])
  })

  it('include file URLs of this machine', () => {
    expect(pathsOf(['file:///data/M%C3%BCnchen%20%F0%9F%8C%B2.tif'], '/')).toEqual(['/data/München 🌲.tif'])
  })

  it('include paths that do not exist, so that opening them reports it', () => {
    expect(pathsOf(['file://server/share/a.tif', 'file:///%FF', 'gone'], '/data')).toEqual([
      'file://server/share/a.tif',
      'file:///%FF',
      '/data/gone'
    ])
  })
})
