// What can be read off the page, as the value of one expression.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)]
  const words = element => element ? element.textContent.replace(/\s+/g, ' ').trim() : ''
  const spelt = element => {
    const classes = [...element.classList].map(name => '.' + name).join('')
    return `${element.localName}${element.id && '#' + element.id}${classes} "${words(element).slice(0, 40)}"`
  }
  const style = element => getComputedStyle(element)
  const width = document.documentElement.clientWidth
  const scrolls = element => element && element !== document.body && element !== document.documentElement &&
    (style(element).overflowX !== 'visible' || scrolls(element.parentElement))
  const shown = all('body *').filter(element => element.checkVisibility() && element.clientWidth > 1)

  // Words of letters alone that a narrow place has torn apart.
  const torn = () => {
    const found = []
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const range = document.createRange()
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
      if (!text.parentElement.checkVisibility() || text.parentElement.closest('svg')) {
        continue
      }
      for (const word of text.data.matchAll(/(?<!\S)[A-Za-z]{2,12}(?=[.,:;]?(\s|$))/g)) {
        range.setStart(text, word.index)
        range.setEnd(text, word.index + word[0].length)
        if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) {
          found.push(word[0] + ' in ' + spelt(text.parentElement))
        }
      }
    }
    return found
  }

  return {
    status: words(document.querySelector('header h1 .status')).toLowerCase(),
    chain: all('ol#chain > li[data-check]').map(link => ({
      check: link.dataset.check ?? '',
      status: link.dataset.status ?? '',
      broken: link.classList.contains('broken'),
      current: link.getAttribute('aria-current') ?? '',
      consequence: link.classList.contains('consequence'),
    })),
    causes: all('section#causes article').map(cause => ({
      reason: cause.dataset.reason ?? '',
      commands: all('pre > code', cause).map(code => code.textContent.trim()),
    })),
    checks: all('section#checks [data-check]').map(check => check.dataset.check),
    charts: all('section#history svg').map(chart => ({
      role: chart.getAttribute('role') ?? '',
      title: words(chart.querySelector('title')),
    })),
    words: Object.fromEntries(['header', '#chain', '#causes', '#checks', '#access', '#history']
      .map(part => [part, words(document.querySelector(part))])),
    buttons: all('button').length,
    copying: all('pre').map(pre => all('button.copy', pre).length),
    live: words(document.querySelector('p#live[role=status]')),

    // The controls, in the order in which a reader meets them.
    controls: all('a[href], button, summary, input, select, textarea, [tabindex]')
      .filter(control => control.tabIndex >= 0 && !control.disabled && control.checkVisibility())
      .map(spelt),
    // What is wider than the window, where nothing around it scrolls.
    overflowing: document.documentElement.scrollWidth <= width ? [] :
      ['page ' + document.documentElement.scrollWidth + ' wide in ' + width].concat(
        shown.filter(element => element.getBoundingClientRect().right > width + 1 && !scrolls(element.parentElement)).map(spelt)),
    // What is cut off at its edge, and cannot be scrolled to.
    cut: shown.filter(element => ['hidden', 'clip'].includes(style(element).overflowX) &&
      element.scrollWidth > element.clientWidth + 1).map(spelt),
    torn: torn(),
  }
})()
