"""The language model: embedding, recurrent layers, hidden layer and output layer."""
