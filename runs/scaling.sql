-- Where does the transition lie, and how long does an iteration take with the measures between, as p grows?
SELECT p, status, step AS iterations, grokked_step AS transition, round(test_accuracy, 4) AS test_accuracy,
       round(wall_seconds / step, 3) AS seconds_an_iteration
FROM run_summary
WHERE method = 'rfm' AND step > 0
ORDER BY p;
