import type { UpdateNews, UpdateWish } from '../../src-main/contract/window/window.ts'

/** A later release of the program, as far as anything is known of one. */
class Updates {
  news = $state.raw<UpdateNews>()
  /** Of the release that was found. */
  version = $state('')

  constructor() {
    window.smalti.onUpdate((news) => {
      this.news = news
      if (news.state === 'found') this.version = news.version
    })
  }

  want(wish: UpdateWish): void {
    if (wish === 'download') this.news = { state: 'downloading', share: 0 }
    else this.dismiss()
    void window.smalti.update(wish)
  }

  dismiss(): void {
    this.news = undefined
  }
}

export const updates = new Updates()
