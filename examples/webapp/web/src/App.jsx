import { useEffect, useState } from "react";

export function App() {
  const [list, setList] = useState({ greeting: "…", tasks: [] });
  const [title, setTitle] = useState("");

  const load = () =>
    fetch("/api/tasks")
      .then((answer) => answer.json())
      .then(setList);

  useEffect(() => {
    load();
  }, []);

  const add = async (event) => {
    event.preventDefault();
    await fetch("/api/tasks", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ title }),
    });
    setTitle("");
    await load();
  };

  return (
    <main>
      <h1>{list.greeting}</h1>
      <ul>
        {list.tasks.map((task) => (
          <li key={task.id} className={task.done ? "done" : ""}>
            {task.title}
          </li>
        ))}
      </ul>
      <form onSubmit={add}>
        <input value={title} onChange={(event) => setTitle(event.target.value)} placeholder="What is next?" required />
        <button>Add</button>
      </form>
      <footer>served by composer</footer>
    </main>
  );
}
