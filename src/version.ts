/** The TorchServe version whose APIs are spoken. */
export const TORCHSERVE_VERSION = '0.12.0';
