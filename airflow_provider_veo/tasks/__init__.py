"""The parts that operators and sensors share: checked arguments, and the deferral."""
