import assert from 'node:assert/strict';
import { only, told } from '../answers.js';
import type { TestArchive } from '../archive.js';
import { predict } from '../requests.js';

/** What a line says apart from when, where and of which request. */
function said(line: string): string {
  return line
    .replace(/^\S+ - /, '')
    .replace(/#hostname:[^,]*/, '#hostname:')
    .replace(/requestID:[^,]*/, 'requestID:')
    .replace(/timestamp:\d+/, 'timestamp:');
}

export const customMetrics: TestArchive = {
  name: 'custom-metrics',
  shows: 'the metrics API: counters, gauges, histograms, times, sizes, percents, errors, dimensions of its own; a function handler',
  pack: { handler: 'handler:measure' },
  steps: [
    {
      name: 'writes a line for each metric that metrics.yaml lists, in its order',
      requests: [predict('custom-metrics', 'x')],
      lines: {
        file: 'model_metrics.log',
        matching: / - (Answers|Thinking|Slow|Weight|Small|Confidence|Regrets|Temperature|Spread|NotListed|Loaded)/,
        count: 11,
      },
      check: ({ lines }) =>
        assert.deepEqual(lines.map(said), [
          'Answers.count:2.0|#ModelName:custom-metrics,Level:Model|#hostname:,requestID:,timestamp:',
          'Answers.count:3.0|#ModelName:custom-metrics,Level:Model|#hostname:,requestID:,timestamp:',
          'ThinkingTime.ms:12.5|#ModelName:custom-metrics,Level:Model|#hostname:,requestID:,timestamp:',
          'SlowThinking.s:2.0|#ModelName:custom-metrics,Level:Model|#hostname:,requestID:,timestamp:',
          'Weight.MB:1.5|#ModelName:custom-metrics,Level:Model|#hostname:,requestID:,timestamp:',
          'SmallWeight.kB:64.0|#ModelName:custom-metrics,Level:Model|#hostname:,requestID:,timestamp:',
          'Confidence.percent:99.5|#Site:loft,ModelName:custom-metrics,Level:Model|#hostname:,requestID:,timestamp:',
          'Regrets.unit:1.0|#Level:Error|#hostname:,requestID:,timestamp:',
          'Temperature.celsius:20.25|#Site:loft,ModelName:custom-metrics,Level:Model|#hostname:,requestID:,timestamp:',
          'Spread.ms:0.125|#ModelName:custom-metrics,Level:Model|#hostname:,requestID:,timestamp:',
          'LoadedModels.count:2.0|#Site:cellar|#hostname:,requestID:,timestamp:',
        ]),
    },
    {
      name: 'is told what is wrong with a wrong metric',
      requests: [predict('custom-metrics', 'x')],
      check: (outcome) =>
        assert.deepEqual(told(only(outcome)), {
          'unit of a time': "MetricsCacheValueError: the unit for a timed metric should be one of ['ms', 's']",
          'unit of a size': "ValueError: The unit for size based metric is one of ['MB','kB', 'GB', 'B']",
          'no such metric': `MetricsCacheKeyError: "Metric of type 'MetricTypes.COUNTER' and name 'Nothing' doesn't exist"`,
          'another type': `MetricsCacheKeyError: "Metric of type 'MetricTypes.GAUGE' and name 'Answers' doesn't exist"`,
          'name of a metric': 'MetricsCacheTypeError: `metric_name` must be a str',
          'negative counter': 'taken',
        }),
    },
  ],
};
