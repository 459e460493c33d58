"""How good a model is: the exported bundle, measured on photos that it was not trained on."""
