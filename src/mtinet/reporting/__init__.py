"""Tables, figures and the page: pure functions of metric files and declared experiments. No torch."""
