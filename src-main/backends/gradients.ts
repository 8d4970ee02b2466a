/** TensorFlow.js leaves gradients, and the chained methods they call, to be registered by whoever needs them. */
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js'
import '@tensorflow/tfjs-core/dist/register_all_gradients.js'

/** Silences advice meant for developers of TensorFlow.js programs. */
tf.env().set('PROD', true)
