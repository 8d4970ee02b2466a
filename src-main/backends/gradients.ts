/** TensorFlow.js leaves it to its users to register gradients and the chained methods that they call. */
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js'
import '@tensorflow/tfjs-core/dist/register_all_gradients.js'

/** Silences TensorFlow.js's advice to developers. */
tf.env().set('PROD', true)
