# Minimises x**2 by gradient descent, and prints the loss after each step.
BEGIN {
    x = start
    for (step = 1; step <= steps; step++) {
        x -= rate * 2 * x
        print "step=" step, "loss=" x * x
    }
}
