-- What grokked, and when?
SELECT run_id, run, method, op, p, train_fraction, memorised_step, grokked_step, delay, step_unit,
       round(test_accuracy, 4) AS test_accuracy, status
FROM run_summary
ORDER BY grokked_step IS NULL, method, grokked_step, run_id;
