"""Can pairs be told apart without reading them? Predictors that see only form, words or authors."""
