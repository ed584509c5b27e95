/** Mocha's own report, then the skipped tests by name; the counts go to a file from which .ci/run ends. */
const { writeFileSync } = require('node:fs')
const { reporters, Runner } = require('mocha')

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    const skipped = []
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => skipped.push(test.fullTitle()))
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      for (const title of skipped) console.log(`skipped: ${title}`)
      const { passes, failures, pending } = runner.stats
      const file = process.env.UVDO_TEST_COUNTS
      if (file) writeFileSync(file, `${passes} ${failures} ${pending}\n`)
    })
  }
}
