/** The product's mark. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <ellipse cx="16" cy="16" rx="13" ry="5.4" fill="none" stroke="currentColor" stroke-width="1.6" transform="rotate(-28 16 16)" />
      <circle class="sun" cx="16" cy="16" r="4.6" />
      <circle class="planet" cx="26" cy="9.2" r="2.2" />
    </svg>
  );
}
