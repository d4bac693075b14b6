"""Size and colours of the pictures that ImageNet models were trained on."""

RESIZE_PIXELS = 256
CROP_PIXELS = 224
# Of red, green and blue, from 0 to 1.
MEAN = [0.485, 0.456, 0.406]
STANDARD_DEVIATION = [0.229, 0.224, 0.225]
