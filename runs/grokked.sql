-- What grokked, and when?
-- Runs that start from someone's weights are left out: they need not have learnt anything themselves.
SELECT run_id, run, method, op, p, train_fraction, memorised_step, grokked_step, delay, step_unit,
       round(test_accuracy, 4) AS test_accuracy, status
FROM run_summary
WHERE NOT EXISTS (SELECT 1 FROM param i WHERE i.run_id = run_summary.run_id AND i.key = 'init_file' AND i.value <> '')
ORDER BY grokked_step IS NULL, method, grokked_step, run_id;
