/** TensorFlow.js leaves gradients, and the chained methods they call, to be registered by whoever needs them. */
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js'
import '@tensorflow/tfjs-core/dist/register_all_gradients.js'
