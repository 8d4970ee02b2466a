import type { UpdateNews, UpdateWish } from '../../src-main/contract/window/window.ts'

/** News about updates of the program. */
class Updates {
  news = $state.raw<UpdateNews>()
  /** Version of the release that was found. */
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
