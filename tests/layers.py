"""The matrices and biases of a network's layers, in turn."""


def arrays_of_layers(model):
    """Matrix, bias, matrix, ... from the inputs on."""
    pairs = zip(model.coefs_, model.intercepts_, strict=True)
    return [array.copy() for pair in pairs for array in pair]
