"""The layers around the routes: who may come in, what a request may cost, what is counted and logged."""
